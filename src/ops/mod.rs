//! Operators: what each is, and nothing about explaining it.
//!
//! A file here states an operator's types, what kind of operation it is, and its adjoint
//! `Jᵀ s = (∂y/∂x)ᵀ s`, in every form that the operator has had since opset 9. What becomes of
//! relevance is said in [`crate::rules`], for kinds, never for operators: so that there are
//! operators *plus* rules to write, not operators *times* rules.
//!
//! To add an operator: write its file, add its word to the list below, add a fixture.

use std::sync::LazyLock;

use crate::ir::Registry;

mod abs;
mod acos;
mod acosh;
mod add;
mod arg_max;
mod arithmetic;
mod asin;
mod asinh;
mod atan;
mod atanh;
mod average_pool;
mod batch_normalization;
mod bitwise;
mod cast;
mod cast_like;
mod celu;
mod clip;
mod col2im;
mod compare;
mod compress;
mod concat;
mod constant;
mod conv;
mod conv_transpose;
mod cos;
mod cosh;
mod cum_prod;
mod cum_sum;
mod deform_conv;
mod depth_to_space;
mod dequantize_linear;
mod det;
mod dft;
mod div;
mod dropout;
mod einsum;
mod elementwise;
mod elu;
mod erf;
#[cfg(all(test, feature = "verify"))]
mod evaluation;
mod exp;
mod expand;
mod flatten;
mod fourier;
mod gather;
mod gather_elements;
mod gather_nd;
mod gelu;
mod gemm;
mod global_average_pool;
mod global_max_pool;
mod grid_sample;
mod group_normalization;
mod hard_sigmoid;
mod hard_swish;
mod identity;
mod if_;
mod indices;
mod instance_normalization;
mod layer_normalization;
mod leaky_relu;
mod log;
mod log_softmax;
mod loop_;
mod lp_normalization;
mod lp_pool;
mod lrn;
mod matmul;
mod max;
mod max_pool;
mod max_roi_pool;
mod max_unpool;
mod mean_variance_normalization;
mod mish;
mod mod_;
mod movement;
mod mul;
mod neg;
mod normalise;
mod one_hot;
mod p_relu;
mod pad;
mod places;
mod pow;
pub mod quantisation;
mod quantize_linear;
mod random;
mod range;
mod reciprocal;
mod reduce;
mod reduce_l1;
mod reduce_l2;
mod reduce_log_sum;
mod reduce_log_sum_exp;
mod reduce_max;
mod reduce_mean;
mod reduce_min;
mod reduce_prod;
mod reduce_sum;
mod reduce_sum_square;
mod relu;
mod reshape;
mod resize;
mod reverse_sequence;
mod rms_normalization;
mod roi_align;
mod sampling;
mod scan;
mod scatter_elements;
mod scatter_nd;
mod selu;
mod shape;
mod shrink;
mod sigmoid;
mod sign;
#[cfg(all(test, feature = "verify"))]
mod signs;
mod sin;
mod sinh;
mod slice;
mod softmax;
mod softplus;
mod softsign;
mod space_to_depth;
mod split;
mod sqrt;
mod squeeze;
mod stft;
mod sub;
mod sum;
mod swish;
mod tan;
mod tanh;
mod tensor_scatter;
mod thresholded_relu;
mod tile;
mod top_k;
mod transpose;
mod trilu;
mod unique;
mod unsqueeze;
mod where_;
mod window;
mod windows;

/// The table of operators: each module names its own.
macro_rules! operators {
    ($($module:ident)*) => {
        /// The operators that are known.
        pub static REGISTRY: LazyLock<Registry> =
            LazyLock::new(|| Registry::new(&[$($module::OPERATOR),*]));
    };
}

operators! {
    abs acos acosh add arg_max asin asinh atan atanh average_pool batch_normalization bitwise cast
    cast_like celu clip col2im compare compress concat constant conv conv_transpose cos cosh cum_prod cum_sum deform_conv
    depth_to_space dequantize_linear det dft div dropout einsum elu erf exp expand flatten gather
    gather_elements gather_nd gelu gemm global_average_pool global_max_pool grid_sample group_normalization
    hard_sigmoid hard_swish identity if_ indices instance_normalization layer_normalization
    leaky_relu log log_softmax loop_ lp_normalization lp_pool lrn matmul max max_pool max_roi_pool max_unpool
    mean_variance_normalization mish mod_ mul neg one_hot p_relu pad pow quantize_linear random range
    reciprocal
    reduce_l1 reduce_l2 reduce_log_sum reduce_log_sum_exp reduce_max reduce_mean reduce_min
    reduce_prod reduce_sum reduce_sum_square relu reshape resize reverse_sequence
    rms_normalization roi_align scan scatter_elements scatter_nd selu shape shrink sigmoid sign sin sinh slice softmax
    softplus softsign space_to_depth split sqrt squeeze stft sub sum swish tan tanh tensor_scatter thresholded_relu
    tile top_k transpose trilu unique unsqueeze where_ windows
}
