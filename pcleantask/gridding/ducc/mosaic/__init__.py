"""Mosaics in the image domain: each pointing's image times its primary beam, all summed in the image's plane."""
