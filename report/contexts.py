"""What each template sees: one frozen dataclass a page, and the parts they share.

A template's names are the fields of its page's context, and `site` and `page`, which all have.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from markupsafe import Markup

from digits.recipe import Recipe
from digits.run import DataFacts, DeviceFacts, Epoch, Layer
from report.figures.diagram import Diagram
from digits.evaluation import Bin, ClassScore, Coverage, Pair


@dataclass(frozen=True)
class Page:
    """A page of the site: `name` is what the navigation calls it, `card` the picture that others
    show of it, `note` its text as HTML."""

    path: str
    name: str
    title: str
    description: str
    card: str
    note: Markup


@dataclass(frozen=True)
class Site:
    """What every page says of the whole: `sample` asks for the banner on each of them, `warnings`
    are what went wrong in a training that was finished all the same."""

    title: str
    author: str
    description: str
    base_url: str
    pages: Sequence[Page]
    sample: bool
    warnings: Sequence[str]
    run_id: str
    finished: str
    device: str


@dataclass(frozen=True)
class Picture:
    """An image file of the site; `alt` says what is to be seen."""

    path: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Digit:
    """A labelled image; `row` is its row in train.csv, counted from 0."""

    row: int
    label: int
    picture: Picture


@dataclass(frozen=True)
class Bar:
    """A probability as it is drawn: `height` and `top` in units of the drawing."""

    label: int
    probability: float
    x: float
    top: float
    height: float
    role: str


@dataclass(frozen=True)
class Mistake:
    """A validation digit that was misread. `bars` is empty where only the image is shown."""

    row: int
    true: int
    predicted: int
    confidence: float
    picture: Picture
    bars: List[Bar]


@dataclass(frozen=True)
class Download:
    path: str
    name: str
    bytes: int
    sha256: str
    about: str


@dataclass(frozen=True)
class OverviewContext:
    accuracy: float
    low: float
    high: float
    errors: int
    count: int
    data: DataFacts
    device: DeviceFacts
    parameters: int
    epochs: int
    refit_epochs: int
    seconds: float
    worst: List[Mistake]
    submission: Download


@dataclass(frozen=True)
class Table:
    """The head of a CSV; `gap` is the column before which columns are left out."""

    file: str
    rows: int
    columns: int
    header: List[str]
    body: List[List[int]]
    gap: int


@dataclass(frozen=True)
class ClassRow:
    """One digit in the data: how often it comes, its mean image, and examples."""

    label: int
    fit: int
    fit_share: float
    validation: int
    validation_share: float
    mean: Picture
    examples: Picture


@dataclass(frozen=True)
class Survey:
    """What is wrong with the data, or not. The lists hold rows: (row, the row that it repeats)."""

    ranges: List[Tuple[str, int, int]]
    repeats: List[Tuple[int, int]]
    contradictions: List[Tuple[int, int]]
    across: List[Tuple[int, int]]
    leaks: List[Tuple[int, int]]


@dataclass(frozen=True)
class DataContext:
    survey: Optional[Survey]
    tables: List[Table]
    first: List[Digit]
    grid: Picture
    classes: List[ClassRow]
    rarest: ClassRow
    commonest: ClassRow
    balance: Markup


@dataclass(frozen=True)
class ModelContext:
    diagram: Diagram
    layers: List[Layer]
    parameters: int
    trainable: int
    multiply_adds: int
    largest: Layer


@dataclass(frozen=True)
class Fit:
    """One of the two fits: its curves, its best epoch, and every epoch's figures."""

    title: str
    anchor: str
    epochs: List[Epoch]
    best: Epoch
    seconds: float
    rows: int
    throughput: float
    loss: Markup
    accuracy: Markup
    judges: bool


@dataclass(frozen=True)
class TrainingContext:
    fits: List[Fit]
    device: DeviceFacts
    started: str
    settings: List[Tuple[str, str]]
    versions: List[Tuple[str, str]]
    downloads: List[Download]


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix; `shade` runs from 0 (none) to 5."""

    predicted: int
    count: int
    rate: Optional[float]
    shade: int
    anchor: Optional[str]


@dataclass(frozen=True)
class MatrixRow:
    label: int
    cells: List[Cell]


@dataclass(frozen=True)
class Neighbours:
    """How a class lies on the map: the share of its digits whose nearest one is of the same class,
    and the class that most of the others lie beside."""

    label: int
    count: int
    share: float
    other: Optional[int]


@dataclass(frozen=True)
class Glyphs:
    """Digits as they stand on the map: the text, and where each of its signs goes."""

    text: str
    x: str
    y: str


@dataclass(frozen=True)
class Landscape:
    """The map of the last hidden layer: `right` are digits read as meant, `wrong` the others."""

    width: int
    height: int
    right: Glyphs
    wrong: Glyphs
    neighbours: List[Neighbours]
    mixed: Neighbours


@dataclass(frozen=True)
class ResultsContext:
    accuracy: float
    low: float
    high: float
    errors: int
    count: int
    matrix: List[MatrixRow]
    classes: List[ClassScore]
    pairs: List[Pair]
    bins: List[Bin]
    calibration_error: float
    reliability: Markup
    coverage: List[Coverage]
    coverage_chart: Markup
    landscape: Optional[Landscape]
    downloads: List[Download]


@dataclass(frozen=True)
class PairGroup:
    """All mistakes of one confusion, for the index by pair."""

    pair: Pair
    mistakes: List[Mistake]


@dataclass(frozen=True)
class MistakesContext:
    count: int
    large: List[Mistake]
    small: List[Mistake]
    groups: List[PairGroup]


@dataclass(frozen=True)
class LayerPicture:
    """What one layer answers to one digit: a sheet of its first channels and one of the `rest`, or
    bars for the last layer."""

    name: str
    shape: Tuple[int, ...]
    shown: int
    silent: int
    low: float
    high: float
    picture: Optional[Picture]
    rest: Optional[Picture]
    bars: List[Bar]


@dataclass(frozen=True)
class Watched:
    """A digit whose way through the network is shown."""

    digit: Digit
    layers: List[LayerPicture]


@dataclass(frozen=True)
class ActivationsContext:
    watched: List[Watched]
    filters: Optional[Picture]
    first_layer: str


@dataclass(frozen=True)
class AugmentationContext:
    rotation: int
    zoom: float
    shift: float
    seed: int
    originals: Picture
    made: Picture
    variations: List[Tuple[Digit, Picture]]


@dataclass(frozen=True)
class Check:
    """One demand that Kaggle makes of a submission, and what was found."""

    demand: str
    holds: bool
    found: str


@dataclass(frozen=True)
class LabelShare:
    label: int
    submitted: int
    submitted_share: float
    learned_share: float


@dataclass(frozen=True)
class SubmissionContext:
    download: Download
    head: List[List[str]]
    checks: List[Check]
    passed: bool
    shares: List[LabelShare]
    chart: Markup
    furthest: LabelShare
    command: str


@dataclass(frozen=True)
class Setting:
    """A number of the recipe: how it was set, and what it would have been."""

    name: str
    value: str
    default: str
    about: str


@dataclass(frozen=True)
class ReproduceContext:
    command: str
    settings: List[Setting]
    toml: str
    versions: List[Tuple[str, str]]
    data_fingerprint: str
    run_fingerprint: str
    device: DeviceFacts
    started: str
    finished: str
    times: List[Tuple[str, float]]


@dataclass(frozen=True)
class RunRow:
    """One finished run among others. `comparable`: judged on the same rows as the one shown."""

    id: str
    shown: bool
    comparable: bool
    recipe: Recipe
    accuracy: float
    low: float
    high: float
    errors: int
    count: int
    best: Epoch
    seconds: float
    device: str
    finished: str


@dataclass(frozen=True)
class RunsContext:
    rows: List[RunRow]
    best: RunRow
    shown: RunRow
    chart: Markup
    compared: int


@dataclass(frozen=True)
class NotFoundContext:
    """The 404 page needs nothing but the site."""
