"""How numbers are written, in templates and in notes alike."""

from datetime import datetime


def number(value) -> str:
    """2839274 -> "2,839,274"."""
    return f"{value:,}"


def decimal(value, places: int = 4) -> str:
    """0.03412 -> "0.0341"; a negative zero loses its sign."""
    return f"{round(value, places) + 0.0:.{places}f}"


def percent(fraction, places: int = 2) -> str:
    """0.99476 -> "99.48%". Only 1 itself is ever written as 100%."""
    text = f"{fraction:.{places}%}"
    return f"> {100 - 10 ** -places:.{places}f}%" if fraction < 1 and text.startswith("100") else text


def duration(seconds) -> str:
    """603.2 -> "10 min 3 s"; the two largest units only."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def size(count) -> str:
    """208908 -> "209 kB"."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"


def plural(count, noun: str, many: str = "") -> str:
    """(1, "epoch") -> "1 epoch"; (22, "epoch") -> "22 epochs"."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def a_digit(label) -> str:
    """7 -> "a 7"; 8 -> "an 8"."""
    return f"{'an' if int(label) == 8 else 'a'} {label}"


def date(iso: str) -> str:
    """"2025-03-01T12:30:00+00:00" -> "1 March 2025"."""
    day = datetime.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def moment(iso: str) -> str:
    """"2025-03-01T12:30:00+00:00" -> "1 March 2025, 12:30 UTC"."""
    return f"{date(iso)}, {datetime.fromisoformat(iso):%H:%M} UTC"


def shape(sizes) -> str:
    """(26, 26, 32) -> "26 × 26 × 32"."""
    return " × ".join(f"{size:,}" for size in sizes)


def span(counts) -> str:
    """[33600, 33599, 33600] -> "33,599 to 33,600"; [37800] -> "37,800"."""
    low, high = min(counts), max(counts)
    return number(low) if low == high else f"{low:,} to {high:,}"


def detail(layer) -> str:
    """What sets a layer apart from others of its kind: "3 × 3, relu", "2 × 2" or "0.25"."""
    size = layer.kernel_size or layer.pool_size
    stepped = layer.kernel_size and set(layer.strides or ()) - {1}
    return ", ".join(filter(None, [
        shape(size) if size else None,
        f"stride {shape(layer.strides)}" if stepped else None,
        "padded" if layer.padding == "same" else None,
        layer.activation if layer.activation != "linear" else None,
        f"{layer.rate:g}" if layer.rate is not None else None]))


FILTERS = {f.__name__: f for f in (number, decimal, percent, duration, size, plural, a_digit, date, moment, shape,
                                   span, detail)}
