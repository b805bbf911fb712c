"""What will probably happen: engagement, churn and activity, always beside a baseline.

features (what is known at a cutoff) · labels (what came after) · examples (both, at many cutoffs) ·
engagement · churn · forecast (by prophecy, judged by backtest) · evaluate (how good) · registry (versions on
disk) · train (gives a training) · score (a whole population) · predictor (one person)
"""
