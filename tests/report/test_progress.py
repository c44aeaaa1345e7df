import io

from digits.progress import Progress
from report.terminal import Terminal

BATCH = Progress("fit", 3, 20, 120, 296, loss=0.0812, acc=0.9751, seconds_left=130)
EPOCH = Progress("fit", 3, 20, 296, 296, loss=0.08, acc=0.976, val_loss=0.05, val_acc=0.985,
                 seconds_left=125)


class Tty(io.StringIO):
    def isatty(self):
        return True


def shown(stream, *events):
    terminal = Terminal(stream)
    for event in events:
        terminal(event)
    terminal.close()
    return stream.getvalue()


def test_a_pipe_gets_a_line_an_epoch():
    assert shown(io.StringIO(), "Device: llvm_cpu.0", BATCH, BATCH, EPOCH).splitlines() == [
        "Device: llvm_cpu.0",
        "Fit, epoch 3 of 20: loss 0.0800, accuracy 97.60%, validation loss 0.0500, "
        "validation accuracy 98.50%, 2 min 5 s left"]


def test_a_terminal_gets_one_moving_line():
    text = shown(Tty(), BATCH, BATCH, EPOCH)
    assert text.count("\n") == 1
    assert "batch 120 of 296: loss 0.0812, accuracy 97.51%, 2 min 10 s left" in text


def test_what_follows_a_moving_line_starts_on_its_own():
    assert shown(Tty(), BATCH).endswith("\n")


def test_compiling_is_announced_once_in_a_pipe():
    compiling = Progress("compile", 1, 20, 1, 296)
    assert shown(io.StringIO(), compiling, compiling, BATCH) == \
        "Compiling the network for the device\n"
