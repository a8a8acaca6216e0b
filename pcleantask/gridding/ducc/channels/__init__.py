"""The visibilities of an image, channel by channel."""
