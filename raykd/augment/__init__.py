"""Data augmentation by replacing words (TinyBERT, Jiao et al. 2020, section 3.2 and algorithm 1; CKD; LRC-BERT)."""
