"""Text that attacks the terminal on which it is shown."""

# Sets the window's title, clears the screen, colours by a C1 code, reverses the text's direction.
ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x7f"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x7f"


def obeyed(text: str) -> str:
    """The characters that a terminal would obey instead of showing them; '' if there are none."""
    return "".join(each for each in text if not each.isprintable() and each != "\n")
