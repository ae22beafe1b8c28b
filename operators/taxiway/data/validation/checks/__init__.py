"""The checks, a module for each subject. `taxiway.data.validation.validate` lists them in their order."""
