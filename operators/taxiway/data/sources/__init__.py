"""Where rows come from: files, SQL and Python functions; which spans a source holds."""
