"""What models predict: at the visibilities of an image channel, and at the data themselves."""
