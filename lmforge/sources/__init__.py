"""Where raw text comes from: one class a kind of source, the containers it is packed in, and the collect stage."""
