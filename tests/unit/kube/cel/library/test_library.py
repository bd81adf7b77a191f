# ruff: noqa: E501 (an expression stays in one piece)
"""The functions of CEL in Kubernetes: every library by what its expressions are worth."""

import pytest

from kybern.kube.cel import CompileError, EvaluationError, compile_expression

TRUE = {
    "operators": [
        "1 + 2 * 3 == 7 && 7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1",
        "1.5 + 1.5 == 3.0 && 3.0 / 2.0 == 1.5 && 1u + 2u == 3u && 5u % 3u == 2u",
        "'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]",
        "1 < 2.5 && 2u > 1 && 1 <= 1u && 'a' < 'b' && b'a' < b'b' && false < true",
        "1 in [1, 2] && !(3 in [1, 2]) && 'a' in {'a': 1} && !('b' in {'a': 1})",
        "{'a': [1, 2]} == {'a': [1, 2]} && [{'b': 2}] == [{'b': 2}] && {'a': 1} != {'a': 2} && [1] != [1, 2]",
        "dyn(1) == dyn(1.0) && dyn(1) == dyn(1u) && dyn(1) != dyn('1') && dyn(true) != dyn(1) && dyn(null) == null",
        "(false || true) && !(true && false) && (true ? 'a' : 'b') == 'a'",
        "[1, 2][0] == 1 && {'a': 1}['a'] == 1 && {1: 'x'}[1] == 'x' && {'a': {'b': 2}}.a.b == 2",
        "has({'a': 1}.a) && !has({'a': 1}.b)",
        "double('inf') > 1.0 && -double('nan') != double('nan')",
    ],
    "errors are forgotten where the other side decides": [
        "1 / 0 == 1 || true", "true || 1 / 0 == 1", "!(1 / 0 == 1 && false)", "!(false && 1 / 0 == 1)",
        "[1, 0].exists(x, 1 / x == 1)", "![0, 2].all(x, 1 / x == 1)",
    ],
    "macros": [
        "[1, 2].all(x, x > 0) && [1, 2].exists(x, x == 2) && [1, 2, 2].exists_one(x, x == 1)",
        "[1, 2].map(x, x * 2) == [2, 4] && [1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2].map(x, x > 1, x * 3) == [6]",
        "{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && {'a': 1}.map(k, k + k) == ['aa']",
        "[[1, 2].map(y, y)].map(x, x + x) == [[1, 2, 1, 2]]",
        "[[1]].all(x, (x + [2]).size() + x.size() == 3) && [[1], [2, 3]].map(x, x.map(y, y + 1) + x) == [[2, 1], [3, 4, 2, 3]]",
        "[1, 2, 3].map(x, [x].map(y, y * 2).filter(z, z > 2)) == [[], [4], [6]]",
    ],
    "two variables": [
        "[1, 2].all(i, v, v == i + 1) && {'a': 1}.exists(k, v, k == 'a' && v == 1) && [5, 6].existsOne(i, v, i == 1 && v == 6)",
        "['a', 'b'].transformList(i, v, string(i) + v) == ['0a', '1b'] && [1, 2].transformList(i, v, i > 0, v) == [2]",
        "{'a': 1, 'b': 2}.transformMap(k, v, v * 2) == {'a': 2, 'b': 4} && {'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
    ],
    "sizes and types": [
        "size('äb') == 2 && 'ab'.size() == 2 && size(b'ab') == 2 && [1].size() == 1 && size({'a': 1}) == 1",
        "type(1) == int && type('') == string && type([]) == list && type({}) == map && type(null) == null_type && type(1u) == uint",
        "type(timestamp('2020-01-01T00:00:00Z')) == google.protobuf.Timestamp && type(int) == type",
    ],
    "conversions": [
        "int('12') == 12 && int(3.9) == 3 && int(5u) == 5 && int(timestamp('1970-01-01T00:00:10Z')) == 10",
        "uint('12') == 12u && uint(3) == 3u && double('1.5') == 1.5 && double(2) == 2.0",
        "bool('true') && !bool('f') && bytes('a') == b'a' && string(b'a') == 'a' && string(true) == 'true'",
        "string(1) == '1' && string(1.5) == '1.5' && string(100.0) == '100' && string(1e6) == '1e+06' && string(1e-7) == '1e-07'",
        "string(duration('1h')) == '3600s' && string(duration('1500ms')) == '1.5s'",
        "string(timestamp('2020-01-01T01:00:00.5+01:00')) == '2020-01-01T01:00:00.5+01:00'",
    ],
    "times": [
        "timestamp('2020-01-01T00:00:00Z') + duration('24h') == timestamp('2020-01-02T00:00:00Z')",
        "timestamp('2020-01-02T00:00:00Z') - timestamp('2020-01-01T00:00:00Z') == duration('86400s')",
        "timestamp('2020-02-03T04:05:06.789Z').getMonth() == 1 && timestamp('2020-02-03T04:05:06.789Z').getDate() == 3",
        "timestamp('2020-02-03T04:05:06.789Z').getHours('-01:00') == 3 && timestamp('2020-02-03T04:05:06.789Z').getMilliseconds() == 789",
        "timestamp('2020-02-03T04:05:06Z').getHours('Europe/Berlin') == 5 && timestamp('2020-02-02T00:00:00Z').getDayOfWeek() == 0",
        "timestamp('2020-02-03T00:00:00Z').getDayOfYear() == 33 && timestamp('2020-02-03T00:00:00Z').getDayOfMonth() == 2",
        "duration('1h30m').getMinutes() == 90 && duration('-1.5s').getSeconds() == -1 && duration('2m') > duration('1m59s')",
        "duration('1h') == duration('3600s') && duration('-1s') < duration('0')",
    ],
    "strings": [
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.charAt(1) == 'b' && 'abc'.charAt(3) == ''",
        "'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3 && 'hello'.indexOf('l', 3) == 3 && 'hello'.lastIndexOf('l', 2) == 2 && 'x'.indexOf('') == 0",
        "'aXbX'.replace('X', '-') == 'a-b-' && 'aXbX'.replace('X', '-', 1) == 'a-bX' && 'ab'.replace('', '_') == '_a_b_'",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'a'.split(',', 0) == [] && 'ab'.split('') == ['a', 'b']",
        "'hello'.substring(1) == 'ello' && 'hello'.substring(1, 3) == 'el' && ' a\\t'.trim() == 'a'",
        "'aÄZ'.lowerAscii() == 'aÄz' && 'aäz'.upperAscii() == 'AäZ' && ['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b'",
        "strings.quote('a\"b') == '\"a\\\\\"b\"'",
        "'%s %d %.2f %e %x %X %o %b %%'.format(['a', 1, 2.5, 1.5, 255, 'ab', 8, 5]) == 'a 1 2.50 1.500000×10⁰⁰ ff 6162 10 101 %'",
        "'%s %s %s'.format([['a'], {'k': 1}, null]) == '[\"a\"] {\"k\":1} null'",
    ],
    "regular expressions": [
        "'abc123'.matches('[0-9]+') && !'abc'.matches('^[0-9]+$') && 'abc123'.find('[0-9]') == '1' && 'abc'.find('[0-9]') == ''",
        "'a1b2c3'.findAll('[0-9]') == ['1', '2', '3'] && 'a1b2c3'.findAll('[0-9]', 2) == ['1', '2'] && 'a1b2'.findAll('([a-z])([0-9])') == ['a1', 'b2']",
    ],
    "lists": [
        "[1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [1, 2].sum() == 3 && [1.5].sum() == 1.5 && [1, 2].min() == 1 && ['a', 'b'].max() == 'b'",
        "['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2 && ['a'].indexOf('x') == -1",
        "[duration('1s'), duration('2s')].sum() == duration('3s') && [timestamp('2020-01-01T00:00:00Z')].isSorted()",
        "[1, 2].sum() == 3 && [].map(x, 1).sum() == 0",
    ],
    "sets": [
        "sets.contains([1, 2], [2]) && !sets.contains([1], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && sets.intersects(['a'], ['a', 'b'])",
    ],
    "math": [
        "[3, 1, 2].sort() == [1, 2, 3] && ['aa', 'b'].sortBy(x, x.size()) == ['b', 'aa'] && lists.range(2) == [0, 1]",
        "[1, 2, 1].distinct() == [1, 2] && [1, 2].reverse() == [2, 1] && [1, 2, 3].slice(1, 3) == [2, 3]",
        "[[1], [2, 3]].flatten() == [1, 2, 3] && [[[1]], [[2]]].flatten(2) == [1, 2]",
    ],
    "optionals": [
        "optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(1).value() == 1 && optional.of(1).orValue(2) == 1",
        "{'a': 1}.?a.orValue(2) == 1 && {'a': 1}.?b.orValue(2) == 2 && {'a': {'b': 1}}.?a.?b.value() == 1 && [1][?0].hasValue() && ![1][?1].hasValue()",
        "optional.none().or(optional.of(3)).value() == 3 && optional.of(1).optMap(x, x + 1).value() == 2 && optional.of(1).optFlatMap(x, optional.of(x + 1)).value() == 2",
        "[?optional.of(1), ?optional.none()] == [1] && {?'a': optional.of(1), ?'b': optional.none()} == {'a': 1}",
        "optional.ofNonZeroValue('') == optional.none() && optional.of(1).orValue(1 / 0) == 1",
    ],
    "urls": [
        "isURL('https://example.com:80/a?b=c') && isURL('/path') && !isURL('example') && !isURL('')",
        "url('https://u@example.com:80/a b?q=1&q=2').getScheme() == 'https' && url('https://example.com:80/').getHost() == 'example.com:80'",
        "url('https://[::1]:80/').getHostname() == '::1' && url('https://example.com:80/').getPort() == '80' && url('https://example.com/a%20b').getEscapedPath() == '/a%20b'",
        "url('https://e.com/?k=a&k=b').getQuery() == {'k': ['a', 'b']} && url('/a') == url('/a')",
    ],
    "quantities": [
        "isQuantity('1.3Gi') && !isQuantity('1,3') && quantity('1000m') == quantity('1') && quantity('1Ki').isGreaterThan(quantity('1k'))",
        "quantity('1').isLessThan(quantity('2')) && quantity('1').compareTo(quantity('2')) == -1 && sign(quantity('-1')) == -1",
        "quantity('5').isInteger() && !quantity('500m').isInteger() && quantity('5k').asInteger() == 5000 && quantity('500m').asApproximateFloat() == 0.5",
        "quantity('1').add(quantity('2')) == quantity('3') && quantity('5').sub(2) == quantity('3') && type(quantity('1')) == type(quantity('2'))",
    ],
    "addresses": [
        "isIP('10.0.0.1') && isIP('::1') && !isIP('10.0.0') && !isIP('fe80::1%eth0') && !isIP('::ffff:1.2.3.4') && !isIP('010.0.0.1')",
        "ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && ip('0.0.0.0').isUnspecified() && string(ip('::0001')) == '::1'",
        "ip.isCanonical('::1') && !ip.isCanonical('::0001') && ip('169.254.1.1').isLinkLocalUnicast() && ip('224.0.0.1').isLinkLocalMulticast() && ip('8.8.8.8').isGlobalUnicast()",
        "isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0') && cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsIP(ip('10.1.2.3'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.0.0.0/16').containsCIDR(cidr('10.0.0.0/8')) && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && cidr('10.0.0.0/8').prefixLength() == 8 && string(cidr('::/0')) == '::/0'",
    ],
    "versions": [
        "isSemver('1.2.3-rc.1+build') && !isSemver('v1.2') && isSemver('v1.2', true) && semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
        "semver('1.0.0-alpha').isLessThan(semver('1.0.0')) && semver('1.0.0-2').isLessThan(semver('1.0.0-10')) && semver('1.10.0').compareTo(semver('1.9.0')) == 1 && semver('v01.1', true) == semver('1.1.0')",
    ],
    "formats": [
        "!format.dns1123Label().validate('abc').hasValue() && format.dns1123Label().validate('A').hasValue() && format.named('uuid').hasValue() && !format.named('x').hasValue()",
        "!format.date().validate('2020-02-29').hasValue() && format.datetime().validate('yesterday').hasValue() && !format.dns1123LabelPrefix().validate('a-').hasValue() && format.byte().validate('!').hasValue()",
        "!format.uri().validate('https://x').hasValue() && !format.labelValue().validate('').hasValue() && format.qualifiedName().validate('a/b/c').value().size() > 0",
    ],
    "images": [
        "isImage('nginx') && isImage('registry.example.com/a/b:1.2') && !isImage('registry.example.com//a') && !isImage('a@sha256:abc') && !isImage('UPPER')",
        "image('registry.example.com:80/a/b:1.2').registry() == 'registry.example.com:80' && image('registry.example.com/a/b:1.2').repository() == 'a/b' && image('a:t').tag() == 't'",
        "image('ubuntu', true).registry() == 'docker.io' && image('ubuntu', true).repository() == 'library/ubuntu' && image('ubuntu', true).identifier() == 'latest' && image('ubuntu').tag() == ''",
        "image('a@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2').containsDigest() && image('a:t@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2').identifier().startsWith('sha256:')",
        "image('localhost/a', true).registry() == 'localhost' && image('a/b', true).repository() == 'a/b' && image('a/b').registry() == 'a'",
    ],
    "as Go prints and reads": [
        "'%f'.format([1234567.5]) == '1,234,567.500000'",
        "'%s'.format([[1.5, b'a', duration('1m')]]) == '[1.500000, b\"a\", duration(\"60s\")]'".replace('\\"', '"'),
        "string(timestamp('2020-01-01T00:00:00,5+02:00') + duration('1h')) == '2020-01-01T01:00:00.5+02:00'",
        "timestamp('2020-01-01T00:00:00Z').getDate('+25:00') == 2",
        "double('0x1p4') == 16.0 && double('1_0') == 10.0",
        "'ab'.findAll('') == ['', '', ''] && 'abab'.findAll('b*') == ['', 'b', 'b']",
        "!(quantity('1') == null)",
        "quantity('0.1').sub(quantity('1u')).asApproximateFloat() == 0.09999899999999999",
    ],
}  # fmt: skip


@pytest.mark.parametrize("expression", [text for texts in TRUE.values() for text in texts])
def test_true(expression: str) -> None:
    assert compile_expression(expression, ()).evaluate({}) is True


CIDR = "network address parse error during conversion from string: "
ERRORS: dict[str, str] = {
    "1 / 0": "division by zero",
    "1 % 0": "modulus by zero",
    "9223372036854775807 + 1": "integer overflow",
    "-9223372036854775808 - 1": "integer overflow",
    "0u - 1u": "unsigned integer overflow",
    "int(['a'][0])": "type conversion error from 'string' to 'int'",
    "[1].slice(1, 3)": "cannot slice(1, 3), list is length 1",
    "[1][1]": "index out of bounds: 1",
    "{'a': 1}.b": "no such key: b",
    "{'a': 1}[dyn('b')]": "no such key: b",
    "dyn('a') + dyn(1)": "no such overload",
    "dyn(null).a": "no such key: a",
    "dyn(1).size()": "no such overload: size",
    "dyn(1) ? 1 : 2": "no such overload",
    "[].map(x, 1).min()": "min called on empty list",
    "'a'.matches(dyn('['))": "error parsing regexp: ",
    "timestamp(dyn('x'))": "type conversion error from 'string' to 'google.protobuf.Timestamp'",
    "timestamp('9999-12-31T23:59:59Z') + duration('1s')": "timestamp overflow",
    "duration(dyn('1x'))": "type conversion error from 'string' to 'google.protobuf.Duration'",
    "timestamp('2020-01-01T00:00:00Z').getHours('Nowhere/Land')": "unknown time zone Nowhere/Land",
    "quantity('x')": "quantities must match the regular expression",
    "ip('x')": 'IP Address "x" parse error during conversion from string',
    "semver('1')": "No Major.Minor.Patch elements found",
    "optional.none().value()": "optional.none() dereference",
    "'abc'.substring(4)": "index out of range: 4",
    "'%d'.format([dyn('a')])": "error during formatting: decimal clause can only be used on integers",
    "('%' + 'y').format([1])": "could not parse formatting clause",
    "('%' + 's').format([])": "index 0 out of range",
    "'hello'.substring(0, -1)": "invalid substring range. start: 0, end: -1",
    "[1][dyn(1.5)]": "unsupported index value 1.5 in list",
    "dyn([1]).b": "unsupported index type 'string' in list",
    "dyn(quantity('1')) == 'a'": "no such overload",
    "dyn(5).startsWith('a')": "no such overload",
    "ip('1.2.3.04')": 'IP Address "1.2.3.04" parse error during conversion from string: ParseAddr("1.2.3.04"): IPv4 field has',
    "url('')": 'URL parse error during conversion from string: parse "": empty url',
    "url('https://a:x/')": 'URL parse error during conversion from string: parse "https://a:x/": invalid port ":x" after host',
    "semver('')": "Version string empty",
    "semver('01.2.3')": 'Major number must not contain leading zeroes "01"',
    "semver('1.2.3.4')": 'Invalid character(s) found in patch number "3.4"',
    "semver('1.2.3-01')": 'Numeric PreRelease version must not contain leading zeroes "01"',
    **{
        f"cidr('{text}')": f'{2 * CIDR}netip.ParsePrefix("{text}"): {why}'
        for text, why in {"x": "no '/'", "10.0.0.0/33": "prefix length out of range"}.items()
    },
}


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_expression(expression, ()).evaluate({})
    assert str(caught.value).startswith(ERRORS[expression])


COMPILE_ERRORS: dict[str, str] = {
    "math.abs(1)": "undeclared reference to 'math'",
    "1e400": "invalid double literal",
    "timestamp(253402300800)": "invalid timestamp argument",
    "'%d'.format(['a'])": "error during formatting: decimal clause can only be used on integers, was given string",
    "'%s'.format([])": "index 0 out of range",
    "'a'.format(['a'])": "too many arguments supplied to string.format (expected 0, got 1)",
    "'%'.format([])": "unexpected end of string",
    "'%y'.format([1])": 'could not parse formatting clause: unrecognized formatting clause "y"',
    "1 +": "Syntax error: mismatched input '<EOF>'",
    "nothing": "undeclared reference to 'nothing' (in container '')",
    "1 + 'a'": "found no matching overload for '_+_' applied to '(int, string)'",
    "[1, 'a']": "expected type 'int' but found 'string'",
    "{'a': 1, 'b': 'x'}": "expected type 'int' but found 'string'",
    "1 == 'a'": "found no matching overload for '_==_' applied to '(int, string)'",
    "quantity('1') == 1": "found no matching overload for '_==_' applied to '(kubernetes.Quantity, int)'",
    "quantity(1)": "found no matching overload for 'quantity' applied to '(int)'",
    "['a'].sum()": "found no matching overload for 'sum' applied to 'list(string).()'",
    "1.all(x, true)": "cannot be range of a comprehension",
    "has(1)": "ERROR: <input>:1:5: invalid argument to has() macro",
    "ip('::1').size()": "found no matching overload for 'size' applied to 'net.IP.()'",
    "'a'.startsWith(1)": "applied to 'string.(int)'",
    "timestamp('x')": "ERROR: <input>:1:11: invalid timestamp argument\n | timestamp('x')\n | ..........^",
    "duration('1x')": "ERROR: <input>:1:10: invalid duration argument",
    "'a'.matches('[')": "ERROR: <input>:1:13: invalid matches argument",
    "a" * 100_001: "expression code point size exceeds limit",
}


@pytest.mark.parametrize("expression", COMPILE_ERRORS, ids=[text[:30] for text in COMPILE_ERRORS])
def test_compile_errors(expression: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_expression(expression, ())
    assert COMPILE_ERRORS[expression] in str(caught.value)
