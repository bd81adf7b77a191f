"""The static cost of expressions, in cel-go's units."""

import pytest

from kybern.kube.cel import compiler
from kybern.kube.cel.cost import estimate
from kybern.kube.cel.cost_rules import MOST

SIZES = {("self",): 10, ("self", "@items"): 100, ("text",): 1000, ("named",): 5, ("named", "@values"): 50}
TYPES = {"self": "list<string>", "text": "string", "named": "map<string, string>", "n": "int", "any": "dyn"}

COSTS: dict[str, int] = {
    "1 == 1": 1,
    "n == 1": 2,
    "text == 'ab'": 2,
    "text == text": 1 + 1 + 100,
    "text.startsWith('abc')": 2,
    "text.contains('abc')": 1 + 100,
    "text.matches('abcd')": 1 + 101,
    "n == 1 && n == 2": 4,
    "n == 1 ? text == text : true": 2 + 102,
    "[1, 2].size() == 2": 10 + 1 + 1,
    "{'a': 1}.size() == 1": 30 + 1 + 1,
    "self.all(x, x == 'a')": 1 + 10 * (2 + 1 + 2) + 1,
    "self.all(x, self.all(y, x == y))": 1 + 10 * (2 + 1 + 1 + 10 * (2 + 1 + 12) + 1) + 1,
    "'a' in self": 1 + 10,
    "text + text == 'a'": 1 + 1 + 200 + 1,
    "string(n) + 'a' == 'b'": MOST,
    "named['a'] == named['b']": 2 + 2 + 5,
    "text.replace('a', 'bb').size() > 1": 1 + 200 + 1 + 1,
    "has(any.a) == has(any.b)": 1 + 1 + 1,
    "'a' in named": 1 + 1,
    "self.isSorted()": 1 + 10 * (1 + 10),
    "self.join(',') == 'a'": 103,
    "self.lastIndexOf('a') == 0": 112,
    "cidr(text).containsIP('10.0.0.1')": 106,
    "format.dns1123Label().validate(text).hasValue()": 3203,
    "self.map(x, x.size()).sum() > 3": 163,
    "any.a.b == 1": 1 + 1,
    "null == null": 1,
    "dyn(text) == dyn(text)": 2 * (1 + 1) + 100,
    "lists.range(3).all(x, x == 1)": 11 + 3 + 3 * (2 + 1 + 2) + 1,
    "self.sort()[0] == 'a'": 1 + 11 + 210 + 1 + 1,
    "self.distinct().size() == 1": 1 + 11 + 200 + 1 + 1,
    "self.slice(1, 3).size() == 1": 1 + 11 + 2 + 1 + 1,
    "self.slice(3, 1).size() == 1": MOST,
    "self.reverse().all(x, x == 'a')": 1 + 11 + 10 + 10 * (2 + 1 + 2) + 1,
    "strings.quote(text) == text": 1 + 100 + 1 + 100,
    "sets.equivalent(self, self)": 1 + 1 + 200 + 1,
    "type(n) == google.protobuf.Timestamp": MOST,
    "['a', 'bcd'][n] + text == 'a'": 10 + 1 + 1 + 1 + 101 + 1,
    "text.split(',')[0] == text": 1 + 200 + 1 + 1 + 100,
    "cidr(text).ip() == ip(text)": 2 * (1 + 100) + 1 + 1,
    "string(bytes(text)) == text": 1 + 100 + 400 + 1 + 100,
}


@pytest.mark.parametrize("expression", COSTS)
def test_costs(expression: str) -> None:
    checked = compiler.check(expression, compiler.environment(TYPES))
    found = estimate(checked, SIZES.get)
    assert found == COSTS[expression] if COSTS[expression] < MOST else found > 10**17
