"""Bodies of requests in all formats: JSON, CSV and Arrow. The rows of CSV and Arrow are logged as JSON, so only this package reads them."""
