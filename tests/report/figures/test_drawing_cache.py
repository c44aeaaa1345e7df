"""Drawings are kept, and made anew when anything has changed that decides how they look."""

import numpy as np

from report.figures.drawing_cache import DrawingCache

drawn = []


def draw(*arguments) -> str:
    drawn.append(arguments)
    return f"<svg>{len(drawn)}</svg>"


def test_what_was_drawn_is_drawn_once(tmp_path):
    first = DrawingCache(tmp_path).svg(draw, "a", np.arange(3))
    assert DrawingCache(tmp_path).svg(draw, "a", np.arange(3)) == first


def test_other_arguments_make_another_drawing(tmp_path):
    drawings = DrawingCache(tmp_path)
    made = [drawings.svg(draw, *arguments) for arguments in (
        ("a", np.zeros(4)), ("b", np.zeros(4)), ("a", np.zeros((2, 2))), ("a", np.zeros(4, int)))]
    assert len(set(made)) == 4


def test_a_change_of_any_code_that_draws_makes_another_drawing(tmp_path):
    (tmp_path / "charts.py").write_text("from images import INK")
    (tmp_path / "images.py").write_text("INK = 1")
    first = DrawingCache(tmp_path / "kept", code=tmp_path).svg(draw, "a")
    assert DrawingCache(tmp_path / "kept", code=tmp_path).svg(draw, "a") == first
    (tmp_path / "images.py").write_text("INK = 2")
    assert DrawingCache(tmp_path / "kept", code=tmp_path).svg(draw, "a") != first


def test_what_a_render_had_no_use_for_is_deleted(tmp_path):
    DrawingCache(tmp_path).svg(draw, "old")
    drawings = DrawingCache(tmp_path)
    drawings.svg(draw, "new")
    drawings.forget_unused()
    assert [path.name for path in tmp_path.iterdir()] == list(drawings.used)


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("in the way")
    drawings = DrawingCache(tmp_path / "file" / "folder")
    assert drawings.svg(draw, "x") != drawings.svg(draw, "x")
