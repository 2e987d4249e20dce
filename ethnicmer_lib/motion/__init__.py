"""From two frames (or stacks) to u, v, strain."""

from ethnicmer_lib.motion.extract import CLIP_METHODS, apex_images, clip_flow, kept_flow, motion_images
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import SCALINGS, flow_image
from ethnicmer_lib.motion.strain import optical_strain
