"""Parameters, profiles, papermill, the site, the course, the command line."""
