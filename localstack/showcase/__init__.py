"""Shows the stack on an emulator: the demo on the terminal, and the upload page in a browser."""
