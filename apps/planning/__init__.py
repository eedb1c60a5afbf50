"""What the paper-size model and an index of 10⁹ regions would take, computed from assumptions and checked here."""
