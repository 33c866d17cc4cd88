"""From labels to a trained model: targets, splits, augmentation, unlabelled clips, distillation, the training loop.

Uses networks, pretrained, inference and evaluation; the query strategies are in `active_learning`.
"""
