"""What each template sees: one frozen dataclass a page, and the parts they share.

A template's names are the fields of its page's context, and `site` and `page`, which all have.
"""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from markupsafe import Markup

from digits.run import DataFacts, DeviceFacts, Epoch, Layer
from report.diagram import Diagram
from report.evaluation import ClassScore, Pair


@dataclass(frozen=True)
class Page:
    """A page of the site. `note` is its text as HTML; `name` is what the navigation calls it."""

    path: str
    name: str
    title: str
    description: str
    note: Markup


@dataclass(frozen=True)
class Site:
    """What every page says of the whole: `sample` asks for the banner on each of them."""

    title: str
    author: str
    description: str
    base_url: str
    pages: Sequence[Page]
    sample: bool
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
class DataContext:
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
class ResultsContext:
    accuracy: float
    low: float
    high: float
    errors: int
    count: int
    matrix: List[MatrixRow]
    classes: List[ClassScore]
    pairs: List[Pair]
    predictions: Download


@dataclass(frozen=True)
class PairGroup:
    """All mistakes of one confusion, for the index by pair."""

    pair: Pair
    rows: List[int]


@dataclass(frozen=True)
class MistakesContext:
    count: int
    large: List[Mistake]
    small: List[Mistake]
    groups: List[PairGroup]


@dataclass(frozen=True)
class LayerPicture:
    """What one layer answers to one digit: a sheet of channels, or bars for the last layer."""

    name: str
    shape: Tuple[int, ...]
    shown: int
    silent: int
    low: float
    high: float
    picture: Optional[Picture]
    bars: List[Bar]


@dataclass(frozen=True)
class Watched:
    """A digit whose way through the network is shown."""

    digit: Digit
    layers: List[LayerPicture]


@dataclass(frozen=True)
class ActivationsContext:
    watched: List[Watched]


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
class NotFoundContext:
    """The 404 page needs nothing but the site."""
