"""The pages, in the order of the navigation. Each module holds the context that its template sees, and
`context(study, bundle)`, which makes it and adds the files that the page shows. Besides its fields a template
sees the `study`, the settings of the `site`, its `page`, all `pages`, and the page's `note`."""

from dataclasses import dataclass
from types import ModuleType

from report.pages import (activations, augmentation, data, draw, handwriting, labels, misclassified, model,
                          not_found, overview, quiz, reproduce, results, runs, submission, training)
from report.pages.study import Study


@dataclass(frozen=True)
class Page:
    """A page; its template and its note carry its key."""

    name: str
    title: str
    description: str
    module: ModuleType

    @property
    def key(self) -> str:
        return self.module.__name__.rpartition(".")[2]

    @property
    def path(self) -> str:
        return {"overview": "index.html", "not_found": "404.html"}.get(self.key, f"{self.key}.html")

    @property
    def card(self) -> str:
        """The picture that other sites show of it."""
        return f"images/cards/{self.key}.png"


PAGES: tuple[Page, ...] = (
    Page("Overview", "How well does it read?",
         "Accuracy on digits that the network had not learned from, how it was trained, and what to do next.",
         overview),
    Page("Data", "What it learned from",
         "The tables of the competition, the digits in them, class balance, duplicates and leaks.", data),
    Page("Augmentation", "The same, written again",
         "Digits of the data beside variations of them: turned, stretched, moved and bent a little.",
         augmentation),
    Page("Model", "The network",
         "The layers of the network with their shapes, parameters and cost, and a picture of them.", model),
    Page("Training", "How it learned",
         "Learning curves: loss and accuracy of every epoch, the device and the time that it took.", training),
    Page("Results", "What it gets right",
         "The confusion matrix, precision and recall of every digit, and calibration.", results),
    Page("Misclassified", "What it gets wrong",
         "Every misclassified validation digit, with its true and predicted label and all probabilities.",
         misclassified),
    Page("Quiz", "Beat the network",
         "Misclassified digits among others, their labels hidden: read them, and compare your score with the "
         "network’s.", quiz),
    Page("Labels", "What to look at again",
         "Labels that are likely wrong, digits unlike all others, and near-duplicates.", labels),
    Page("Handwriting", "Where it is weak",
         "Accuracy by the thickness, slant, size and centring of the digits, with examples.", handwriting),
    Page("Activations", "What the layers see",
         "The activations of every layer of the network for a few digits.", activations),
    Page("Draw", "Draw a digit",
         "Write a digit, and the network reads it as you draw, with the activations of every layer.", draw),
    Page("Submission", "The submission",
         "The file for Kaggle, checked, with its expected score, size and checksum.", submission),
    Page("Reproduce", "How to make it again",
         "The recipe as it was run, versions, seeds, fingerprints, commands and times.", reproduce),
    Page("Runs", "One run among others",
         "The finished runs beside one another: their recipes, learning curves and accuracies.", runs),
)
NOT_FOUND = Page("Not found", "There is no such page",
                 "This address leads nowhere; the pages of the report are listed here.", not_found)


def pages_of(study: Study) -> list[Page]:
    """The pages that this run's site has: one run alone has none to be compared with."""
    return [page for page in PAGES if page.module is not runs or len(study.siblings) > 1]
