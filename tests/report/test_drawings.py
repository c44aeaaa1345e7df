import numpy as np

from report.figures.drawings import Drawings

drawn = []


def draw(*arguments) -> str:
    drawn.append(arguments)
    return f"<svg>{len(drawn)}</svg>"


def test_what_was_drawn_is_drawn_once(tmp_path):
    first = Drawings(tmp_path).svg(draw, "a", np.arange(3))
    assert Drawings(tmp_path).svg(draw, "a", np.arange(3)) == first


def test_other_arguments_make_another_drawing(tmp_path):
    drawings = Drawings(tmp_path)
    made = [drawings.svg(draw, *arguments) for arguments in (
        ("a", np.zeros(4)), ("b", np.zeros(4)), ("a", np.zeros((2, 2))), ("a", np.zeros(4, int)))]
    assert len(set(made)) == 4


def test_what_a_render_had_no_use_for_is_deleted(tmp_path):
    Drawings(tmp_path).svg(draw, "old")
    drawings = Drawings(tmp_path)
    drawings.svg(draw, "new")
    drawings.forget_unused()
    assert [path.name for path in tmp_path.iterdir()] == list(drawings.used)


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("in the way")
    drawings = Drawings(tmp_path / "file" / "folder")
    assert drawings.svg(draw, "x") != drawings.svg(draw, "x")
