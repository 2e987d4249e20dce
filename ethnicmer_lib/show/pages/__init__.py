"""What each page of the book shows: from a chapter's result to figures, tables and the numbers its prose takes."""
