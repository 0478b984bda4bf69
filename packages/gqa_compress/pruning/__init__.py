"""Training in which the original key-value heads fade out: masks, their schedule, the student that carries them."""
