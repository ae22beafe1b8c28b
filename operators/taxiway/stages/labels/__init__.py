"""Labels by people: the rows whose labels would help most, and the import of labels, which later runs join to the rows."""

from taxiway.stages.labels.export import RowsToLabel, rows_to_label, write_rows
from taxiway.stages.labels.importing import Agreement, Imported, import_labels

__all__ = ["Agreement", "Imported", "RowsToLabel", "import_labels", "rows_to_label", "write_rows"]
