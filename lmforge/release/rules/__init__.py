"""The rules of the gate, a file a group; each is a pure function from evidence to rows of `Rule`."""
