"""Documents that are kept: taken in from uploads, read, corrected, and handed out in every format."""
