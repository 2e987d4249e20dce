"""Studies of our own tools: realism of the simulator, accuracy of motion, calibration, image size."""
