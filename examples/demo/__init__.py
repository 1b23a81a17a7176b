"""The demo: a convolutional GELU network, differentiated, trained on NumPy, replayed elsewhere."""
