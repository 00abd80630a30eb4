"""Settings of the algorithms of alignment: frozen dataclasses, a line of meaning per field. Imports no torch."""
