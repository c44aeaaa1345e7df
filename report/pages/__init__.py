"""The pages, in the order of the navigation. Each module has `context(study, bundle)`."""

from dataclasses import dataclass
from types import ModuleType
from typing import List, Tuple

from report.pages import (activations, augmentation, data, mistakes, model, not_found, overview,
                          reproduce, results, runs, submission, training)
from report.pages.study import Study


@dataclass(frozen=True)
class Plan:
    """A page before it is rendered; its template and its note carry its name."""

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


PAGES: Tuple[Plan, ...] = (
    Plan("Overview", "How well does it read?",
         "Accuracy on digits that the network had not seen, how it was trained, and what to do next.",
         overview),
    Plan("Data", "What it learned from",
         "The tables of the competition, the digits in them, and how often each digit comes.", data),
    Plan("Augmentation", "The same, written again",
         "Digits of the data beside variations of them: turned, stretched and moved a little.",
         augmentation),
    Plan("Model", "The network",
         "The layers of the network with their shapes, parameters and cost, and a picture of them.", model),
    Plan("Training", "How it learned",
         "Loss and accuracy of every epoch, the device and the time that it took.", training),
    Plan("Results", "What it gets right",
         "The confusion matrix, the scores of every digit, and how far to trust how sure it is.",
         results),
    Plan("Mistakes", "What it gets wrong",
         "Every validation digit that was misread, with the ten probabilities.", mistakes),
    Plan("Activations", "What the layers see",
         "What every layer of the network answers to a few digits.", activations),
    Plan("Submission", "The submission",
         "The file for Kaggle, checked, with its size and checksum.", submission),
    Plan("Reproduce", "How to make it again",
         "The recipe as it was run, versions, seeds, fingerprints, commands and times.", reproduce),
    Plan("Runs", "One run among others",
         "The finished runs beside one another: their recipes, curves and scores.", runs),
)
NOT_FOUND = Plan("Not found", "There is no such page",
                 "This address leads nowhere; the pages of the report are listed here.", not_found)


def pages_of(study: Study) -> List[Plan]:
    """The pages that this run's site has: one run alone has none to be compared with."""
    return [plan for plan in PAGES if plan.module is not runs or len(study.siblings) > 1]
