//! The Fourier transforms of the voice analysis. They are made here and nowhere else, because whoever plans one compiles the whole library of
//! transforms for its own numbers, which takes twenty seconds: too long for every change of the analysis.

use realfft::RealFftPlanner;
use std::sync::Arc;

pub use realfft::num_complex::Complex32;
pub use realfft::{ComplexToReal, RealToComplex};

/// Forward and back, for blocks of this many samples.
#[must_use]
pub fn pair(length: usize) -> (Arc<dyn RealToComplex<f32>>, Arc<dyn ComplexToReal<f32>>) {
    let mut planner = RealFftPlanner::<f32>::new();
    (planner.plan_fft_forward(length), planner.plan_fft_inverse(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_forward_and_back_is_what_it_was_times_its_length() {
        let (forward, back) = pair(8);
        let (mut time, mut spectrum) = (forward.make_input_vec(), forward.make_output_vec());
        time.copy_from_slice(&[1.0, 2.0, -3.0, 4.0, 0.0, 0.5, -0.5, 2.0]);
        let before = time.clone();
        assert!(forward.process(&mut time, &mut spectrum).is_ok() && back.process(&mut spectrum, &mut time).is_ok());
        assert!(before.iter().zip(&time).all(|(before, after)| (before * 8.0 - after).abs() < 1e-4), "{time:?}");
    }
}
