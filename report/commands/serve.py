"""`report serve`: the finished site on a local port, made anew when a text of it changes."""

import click

from report.commands import options


@click.command()
@options.output
@options.notes
@options.config
@options.runs
@click.option("--host", default="127.0.0.1", metavar="HOST",
              help="Address to listen on.  [default: 127.0.0.1, this machine only]")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, metavar="PORT", show_default=True,
              help="Port to listen on; 0 takes a free one.")
def serve(output, notes, config, runs, host, port):
    """Look at the site in the browser.

    Serves the finished site to this machine until Ctrl-C. Nothing outside the folder is served.
    When a template, a note, an asset or report.toml changes, the site is made anew and open pages
    reload.

    \b
    Examples:
      python -m report serve
      python -m report serve --port 9000
    """
    from report import settings
    from report.errors import ReportError
    from report.output.render import render
    from report.output.server import rendering_anew, server
    from report.output.site_check import shown_run
    from report.paths import ASSETS, TEMPLATES

    with server(output, host, port) as listening:
        host, port = listening.server_address[:2]
        print(f"Serving {output} at http://{host}:{port}/ (Ctrl-C stops it)", flush=True)
        try:
            run = shown_run(output, runs)
        except ReportError:
            print(f"The run of this site is not in {runs}/, so changes of its texts will not show. Say where "
                  "it is with --runs.", flush=True)
            listening.serve_forever()
            return
        with rendering_anew([TEMPLATES, ASSETS, notes, config or settings.DEFAULT],
                            lambda: render(run, output, notes, settings.load(config).report)):
            listening.serve_forever()
