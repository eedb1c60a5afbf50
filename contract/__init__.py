"""What training and the device must agree on: tokens, trace grammar, preprocessing, manifests. No torch."""
