"""The one table: on a terminal, and as Markdown. Knows nothing of how a row came about."""

HEADS = ("fault", "how often", "acknowledged", "lost", "recovered in", "verdict", "control: protection off")


class Line:
    def __init__(self, row):
        self.row = row
        self.outcome = self.control = self.skipped = self.problem = None

    def is_good(self, is_strict):
        if self.skipped:
            return not is_strict
        if self.problem or not self.outcome.holds:
            return False
        return self.control is None or self.control.failed is not False

    def cells(self):
        fault = f"{self.row.name} {self.row.fault}"
        if self.skipped:
            return (fault, "", "", "", "", f"**SKIPPED: {self.skipped}**", "")
        if self.problem:
            return (fault, "", "", "", "", f"**BROKEN: {self.problem}**", "")
        o = self.outcome
        number = lambda n: "" if n is None else f"{n:,}"
        verdict = "holds" if o.holds else "**FAILS**"
        control = ""
        if self.control:
            must = {True: "fails as it must: ", False: "**DOES NOT FAIL**: ", None: ""}[self.control.failed]
            control = must + self.control.words
        return (
            fault,
            o.often,
            number(o.acknowledged),
            number(o.lost),
            o.recovered,
            f"{verdict}: {o.words}" if o.words else verdict,
            control,
        )


def markdown(lines, facts):
    cell = lambda text: text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
    rows = ["| " + " | ".join(HEADS) + " |", "| --- | --- | ---: | ---: | ---: | --- | --- |"]
    rows += ["| " + " | ".join(cell(text) for text in line.cells()) + " |" for line in lines]
    return facts + "\n\n" + "\n".join(rows) + "\n"


def plain(line):
    """A row as it comes, for whoever waits."""
    fault, *rest = line.cells()
    said = [f"{head} {text}" for head, text in zip(HEADS[1:5], rest) if text]
    text = f"{fault}\n    " + "; ".join([*said, rest[4]])
    return (text + (f"\n    control: {rest[5]}" if rest[5] else "")).replace("**", "")
