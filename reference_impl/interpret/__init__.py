"""What goes on in a forward pass: claims about how transformers work, made small enough to be measured."""
