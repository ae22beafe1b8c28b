"""Labels by people: rows for them to label, and the import of labels, which later runs join to the rows."""

from taxiway.stages.labels.export import RowsToLabel, record_draw, rows_to_label
from taxiway.stages.labels.files import write_rows
from taxiway.stages.labels.importing import Agreement, Imported, import_labels

__all__ = ["Agreement", "Imported", "RowsToLabel", "import_labels", "record_draw", "rows_to_label", "write_rows"]
