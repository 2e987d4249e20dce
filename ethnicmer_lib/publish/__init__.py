"""Parameters, profiles, papermill, the site, the library page, the command line."""
