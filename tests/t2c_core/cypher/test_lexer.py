"""Characters, tokens, quotes and comments are read as Neo4j reads them; each expectation was measured on the server."""

import pytest

from t2c_core.cypher.lexer import END, MAX_CHARS, MAX_DEPTH, tokenize
from t2c_core.errors import CypherSyntaxError


def keys(text, version=5):
    found = list(tokenize(text, version=version).keys)
    assert found[-3:] == [END] * 3
    return found[:-3]


def texts(text, version=5):
    return list(tokenize(text, version=version).texts)[:-3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("match Return", ["MATCH", "RETURN"]),
        ("`match` 'x' \"y\"", ["`", "'", "'"]),
        ("1 1.5 .5 1e3 1E-3 1_000 0x1F 0o17", ["0", "0.", "0.", "0.", "0.", "0", "0", "0"]),
        ("1..3 *..2", ["0", "..", "0", "*", "..", "0"]),
        ("a<>b <= >= =~ || :: .. +=", ["A", "<>", "B", "<=", ">=", "=~", "||", "::", "..", "+="]),
        ("a<-b", ["A", "<", "-", "B"]),
        ("// all of it", []),
        ("a // to the end\nb", ["A", "B"]),
        ("a // to the end\rb", ["A", "B"]),
        ("a // no end\u2028 b \u0085 c \x0b d \x1e e", ["A"]),
        ("a /* b /* c */ d", ["A", "D"]),
        ("a/**/b", ["A", "B"]),
        ("'// no comment' a", ["'", "A"]),
        ("'/* no comment' a", ["'", "A"]),
        ("// 'no string\na", ["A"]),
        ("/* 'no string */ a", ["A"]),
        ("`a``b`", ["`"]),
        ("'it\\'s' a", ["'", "A"]),
        ("'\\\\' a", ["'", "A"]),
    ],
)
def test_text_is_split_into_tokens(text, expected):
    assert keys(text) == expected


@pytest.mark.parametrize(
    "separator", [*"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"]
)
def test_whitespace_separates_tokens(separator):
    assert keys(f"a{separator}b") == ["A", "B"]
    assert keys(f"a{separator}b", version=25) == ["A", "B"]


def test_next_line_separates_tokens_in_cypher_25_and_belongs_to_a_name_in_5():
    assert texts("a\u0085b", version=25) == ["a", "b"]
    assert texts("a\u0085b") == ["a\u0085b"]


@pytest.mark.parametrize("character", ["\x00", "\u200b", "\ufeff", "\u2060", "$"])
def test_control_and_format_characters_belong_to_names_in_cypher_5_only(character):
    assert texts(f"a{character}b") == [f"a{character}b"]
    if character == "$":
        assert texts("a$b", version=25) == ["a", "$", "b"]
    else:
        with pytest.raises(CypherSyntaxError):
            tokenize(f"a{character}b", version=25)


@pytest.mark.parametrize("name", ["é", "Straße", "名前", "ñ1", "a\u0301", "ⅷ", "a‿b"])
def test_letters_of_all_scripts_may_form_names(name):
    assert (keys(name), texts(name)) == (["`"], [name])


@pytest.mark.parametrize("character", ["½", "²", "·", "€", "😀", "\u180e", "#", "~", "@", "\\"])
def test_characters_that_begin_no_token_are_rejected(character):
    with pytest.raises(CypherSyntaxError) as rejected:
        tokenize(f"a {character}")
    assert (rejected.value.reason, rejected.value.position) == ("token", 2)


def test_keywords_fold_ascii_letters_only():
    assert keys("ſet \u212alet") == ["`", "`"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\u004dATCH", ["MATCH"]),
        ("'a\\u0027 b", ["'a'", "b"]),
        ("'\\\\u0041'", ["'\\\\u0041'"]),
        ("'\\\\\\u0041'", ["'\\\\A'"]),
        ("'\\u005cu0041'", ["'\\u0041'"]),
        ("'\\u005c'' a", ["'\\''", "a"]),
        ("// a\\u000ab", ["b"]),
        ("/* a \\u002a/ b", ["b"]),
        ("`a\\u0060 b", ["`a`", "b"]),
        ("'\\ud83d\\ude00'", ["'😀'"]),
    ],
)
def test_unicode_escapes_are_decoded_once_before_lexing(text, expected):
    assert texts(text) == expected


def test_positions_are_those_of_the_text_before_decoding():
    assert list(tokenize("\\u0041 '\\u0042' c").starts) == [0, 7, 16, 17, 17, 17]


@pytest.mark.parametrize(
    "text", ["\\u004", "'\\u00g0'", "// \\u12", "/* \\uu0041 */", "\\U0041", "'\\u +123'"]
)
def test_invalid_escapes_are_rejected_even_in_a_comment(text):
    with pytest.raises(CypherSyntaxError) as rejected:
        tokenize(text)
    assert rejected.value.reason == "token"


@pytest.mark.parametrize("text", ["'\ud800'", "'\\ud800'", "a \udc00", "'\\udc00\\ud800'"])
def test_unpaired_surrogates_are_rejected(text):
    with pytest.raises(CypherSyntaxError, match="unpaired surrogate"):
        tokenize(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [("RETURN 'a", 7), ('RETURN "a\\"', 7), ("RETURN `a``", 7), ("a /* b", 2), ("a /*/", 2)],
)
def test_unclosed_quotes_and_comments_are_rejected(text, position):
    with pytest.raises(CypherSyntaxError, match="never closed") as rejected:
        tokenize(text)
    assert (rejected.value.reason, rejected.value.position) == ("token", position)


@pytest.mark.parametrize(("text", "position"), [("(a", 0), ("a)", 1), ("(a]", 2), ("[(a]", 3), ("{(})", 2)])
def test_brackets_must_match(text, position):
    with pytest.raises(CypherSyntaxError) as rejected:
        tokenize(text)
    assert (rejected.value.reason, rejected.value.position) == ("syntax", position)


def test_brackets_nest_up_to_a_limit():
    tokenize("(" * MAX_DEPTH + ")" * MAX_DEPTH)
    with pytest.raises(CypherSyntaxError) as rejected:
        tokenize("(" * 10_000)
    assert (rejected.value.reason, rejected.value.position) == ("depth", MAX_DEPTH)


def test_length_is_checked_before_decoding():
    with pytest.raises(CypherSyntaxError) as rejected:
        tokenize("\\u" * 500_000)
    assert (rejected.value.reason, rejected.value.position) == ("length", MAX_CHARS)


def test_tokens_know_matching_brackets_and_last_pipes():
    tokens = tokenize("[a | (b, c) | d]")
    assert tokens.matching_brackets == {0: 10, 3: 7}
    assert tokens.last_pipe_in_bracket == {0: 8}
