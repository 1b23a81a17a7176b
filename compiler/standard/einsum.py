"""Read the equations of Einsum; nothing is computed."""

from string import ascii_letters


def explicit_terms(equation: str, ranks: list[int]) -> tuple[list[str], str, str]:
    """Give an equation's terms with a letter for each axis, its output, and the added letters.

    An ellipsis stands for the axes that a term has no letter for, as many in every term; an
    implicit output has the ellipsis, then the letters that occur once, in order.
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = left.replace(".", "")
    if not arrow:
        once = sorted(c for c in set(letters) - {","} if letters.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    width = max(r - len(t.replace("...", "")) for t, r in zip(terms, ranks, strict=True))
    unnamed = "".join([c for c in ascii_letters if c not in letters][:width])
    terms = [t.replace("...", unnamed) for t in terms]
    return terms, output.replace("...", unnamed), unnamed
