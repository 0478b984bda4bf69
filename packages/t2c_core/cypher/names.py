"""Names in the text of a query.

Holds no values: these go as parameters, never into the text.
"""


def quote_name(name: str) -> str:
    r"""Write any label, type, property or variable name so that the server reads exactly that name.

    Back-ticks are doubled. A backslash is written as its Unicode escape, since the server decodes `\uXXXX` before
    anything else, in back-ticks too.
    """
    return "`" + name.replace("\\", "\\u005c").replace("`", "``") + "`"
