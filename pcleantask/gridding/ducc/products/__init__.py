"""The images that gridding makes."""
