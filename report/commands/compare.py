"""`report compare`: recipes over several seeds, and which differences are more than noise."""

import click

from report.commands import options


@click.command()
@click.argument("recipes", nargs=-1, type=options.RECIPES)
@click.option("--step", type=click.IntRange(2, 7), metavar="N",
              help="Of the ladder only step N and the one before it.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, metavar="N", show_default=True,
              help="Networks of each recipe.")
@click.option("--epochs", type=click.IntRange(1, 100_000), metavar="N", help="Epochs of each network.")
@options.data
@options.jobs
@options.device
@options.runs
def compare(recipes, step, seeds, epochs, data, jobs, device, runs):
    """Compare recipes over several seeds, on the same rows.

    Without names of recipes it climbs the ladder from the notebook's fit to `best`, one change after
    the other, on a quarter of the rows, and judges on the others: so minutes of training tell small
    differences from noise. Finished runs are not trained again. The table is Markdown.

    \b
    Examples:
      python -m report compare            the whole ladder: two hours on two cores
      python -m report compare --step 4 --jobs 2
      python -m report compare notebook best
    """
    from digits.recipes import ladder, named
    from digits.training import train
    from report.platforms import require_plaidml
    from report.terminal import Terminal

    if step and recipes:
        raise click.UsageError("--step is of the ladder, which names of recipes leave out")
    require_plaidml()
    changes = {"seeds": seeds, **({"epochs": epochs} if epochs else {})}
    compared = [(name, named(name).changed(changes)) for name in recipes] or ladder(changes)
    if step:
        compared = compared[step - 2:step]
    finished = []
    with Terminal() as terminal:
        for title, recipe in compared:
            terminal(f"{title}:")
            finished.append((title, train(data, recipe, {}, runs, device, False, terminal, jobs=jobs)))
    print(table(finished))


def table(finished: list) -> str:
    """(title, Run) as a Markdown table; each is compared with the one before it."""
    from digits.comparison import compare as paired_with
    from digits.comparison import summarise
    from report.text.formats import duration, percent

    lines = ["| recipe | accuracy of one network | adds | McNemar's p | epochs | time of one | images/s |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    before = None
    for title, run in finished:
        summary = summarise(run)
        spread = f" ± {100 * summary.spread:.2f}" if summary.spread is not None else ""
        adds = p_value = ""
        if before:
            adds = f"{100 * (summary.mean - before.mean):+.2f}"
            paired = paired_with(summary.judged, before.judged)
            p_value = f"{paired.p_value:.2g}{', noise' if paired.is_noise else ''}" if paired else "other rows"
        lines.append(f"| {title} | {percent(summary.mean)}{spread} | {adds} | {p_value} | {run.record.recipe.epochs} | "
                     f"{duration(summary.seconds / len(run.members))} | {summary.images_a_second:.0f} |")
        before = summary
    return "\n".join(lines)
