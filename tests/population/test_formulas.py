"""Formulas: what is written is what is fitted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sharedrange.population.formulas import Formula, Variable, design_matrix, parse, scaled

COLUMNS = {
    "x": np.array([1.0, 2.0, 3.0, 5.0, 7.0, 11.0]),
    "side": np.array(["A", "B", "A", "B", "A", "C"]),
    "sex": np.array(["f", "m", "m", "f", "f", "m"]),
}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", "~ 1"),
        ("~1", "~ 1"),
        ("~ x + side", "~ x + side"),
        ("x*side", "~ x + side + x:side"),
        ("0 + side", "~ 0 + side"),
        ("side - 1", "~ 0 + side"),
        ("x + x^2 + log( x )", "~ x + x^2 + log(x)"),
        ("side:x", "~ side:x"),
        ("x + x", "~ x"),
        ("x:side + side:x", "~ x:side"),
        ("a*b*c", "~ a + b + c + a:b + a:c + b:c + a:b:c"),
    ],
)
def test_a_formula_means_what_it_says(text: str, meaning: str) -> None:
    assert str(parse(text)) == meaning
    assert parse(meaning) == parse(text)


@pytest.mark.parametrize("text", ["x +", "x ** 2", "2x", "x - side", "log()", "x:", "poly(x, 2)", "x^-1", "x/side"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a variable|only -1"):
        parse(text)


def test_a_factor_is_compared_with_its_first_level() -> None:
    made = design_matrix(parse("side + x"), COLUMNS)
    assert made.names == ("1", "side.B", "side.C", "x")
    assert made.values[:, 1].tolist() == [0, 1, 0, 1, 0, 0]


def test_without_an_intercept_each_level_has_its_own_parameter() -> None:
    made = design_matrix(parse("0 + side + sex"), COLUMNS)
    assert made.names == ("side.A", "side.B", "side.C", "sex.m")
    assert np.linalg.matrix_rank(made.values) == 4


def test_an_interaction_alone_gives_each_level_its_own_slope() -> None:
    assert design_matrix(parse("side:x"), COLUMNS).names == ("1", "side.A:x", "side.B:x", "side.C:x")
    assert design_matrix(parse("x + side:x"), COLUMNS).names == ("1", "x", "side.B:x", "side.C:x")


def test_crossed_factors_span_every_cell() -> None:
    columns = {"a": np.array(list("uvuvuv")), "b": np.array(list("ppqqrr"))}
    made = design_matrix(parse("a*b"), columns)
    assert made.names == ("1", "a.v", "b.q", "b.r", "a.v:b.q", "a.v:b.r")
    assert np.linalg.matrix_rank(made.values) == 6


def test_levels_may_come_from_elsewhere() -> None:
    made = design_matrix(parse("side"), {"side": np.array(["B", "B"])}, {"side": ("A", "B")})
    assert made.values.tolist() == [[1, 1], [1, 1]]


def test_truth_values_are_a_factor() -> None:
    assert design_matrix(parse("b"), {"b": np.array([True, False])}).names == ("1", "b.True")


def test_an_unknown_variable_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"forest is not one of sex, side, x"):
        design_matrix(parse("forest"), COLUMNS)


def test_the_logarithm_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        design_matrix(parse("log(x)"), {"x": np.array([0.0, 1.0])})


def test_a_term_can_be_taken_away_and_added() -> None:
    formula = parse("x + side + x:side")
    assert str(formula.without("side")) == "~ x"
    assert str(formula.without("side").adding(parse("side"))) == "~ x + side"
    assert Formula(((Variable("x"),),)) == parse("x")


@given(arrays(float, (12, 2), elements=st.floats(-5, 5)), st.floats(-1e6, 1e6), st.floats(1e-3, 1e5))
def test_scaling_changes_no_prediction(noise: np.ndarray, offset: float, unit: float) -> None:
    design = np.column_stack(
        [np.ones(12), offset + unit * (noise[:, 0] + np.arange(12)), noise[:, 1] + np.arange(12) ** 2]
    )
    try:
        made = scaled(design)
    except ValueError:
        return
    theta = np.array([0.3, -1.2, 0.7])
    assert np.allclose(made.matrix.T @ made.matrix / 12, np.eye(3), atol=1e-9)
    assert np.allclose(design @ (made.back @ theta), made.matrix @ theta, atol=1e-6)


def test_dependent_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="dependent"):
        scaled(np.ones((5, 2)))
    with pytest.raises(ValueError, match="zero"):
        scaled(np.column_stack([np.ones(5), np.zeros(5)]))
