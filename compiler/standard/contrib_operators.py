"""The operators that onnxruntime adds to ONNX's, as found in files; a test compares with its own.

"Name(inputs; attributes) -> outputs where types": "?" may be omitted, "..." stands for several,
"!" must be given, "=" is the default. Types are as wide as the bodies allow: float64 everywhere.
"""

MICROSOFT = """
FusedConv(X: T, W: T, B?: T, Z?: T; activation: string, activation_params: floats,
    auto_pad='NOTSET', dilations: ints, group=1, kernel_shape: ints, pads: ints, strides: ints) ->
    Y: T where T: floats
FusedGemm(A: T, B: T, C?: T; activation: string, activation_alpha: float, activation_beta: float,
    activation_gamma: float, alpha=1.0, beta=1.0, transA=0, transB=0) -> Y: T where T: float16
    float double uint32 uint64 int32 int64
FusedMatMul(A: T, B: T; alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0) -> Y: T where
    T: floats
TransposeMatMul(A: T, B: T; alpha=1.0, transA=0, transB=0) -> Y: T where T: floats
Gelu(X: T) -> Y: T where T: floats
BiasGelu(A: T, B: T) -> C: T where T: floats
FastGelu(X: T, bias?: T) -> Y: T where T: floats
QuickGelu(X: T; alpha=1.702) -> Y: T where T: floats
ScaledSiLU(X: T, scale?: M; alpha=1.0) -> Y: T where T: floats, M: floats
SkipLayerNormalization(input: T, skip: T, gamma: T, beta?: T, bias?: T; epsilon=1e-12) ->
    output: T, mean?: U, inv_std_var?: U, input_skip_bias_sum?: T where T: floats, U: float
SkipSimplifiedLayerNormalization(input: T, skip: T, gamma: T, bias?: T; epsilon=1e-12) ->
    output: T, mean?: U, inv_std_var?: U, input_skip_bias_sum?: T where T: floats, U: float
EmbedLayerNormalization(input_ids: T1, segment_ids?: T1, word_embedding: T, position_embedding: T,
    segment_embedding?: T, gamma: T, beta: T, mask?: T1, position_ids?: T1; epsilon=1e-12,
    mask_index_type: int) -> output: T, mask_index?: T1, embedding_sum?: T where T1: int32,
    T: floats
GatedRMSNorm(X: T, scale: T, gate: T; activation='silu', epsilon=1e-05) -> Y: T where T: floats
BiasSoftmax(data: T, bias: T; axis=1, is_inner_broadcast!: int) -> output: T where T: floats
BiasDropout(data: T, bias: T, residual?: T, ratio?: T1, training_mode?: T2; seed: int) ->
    output: T, mask?: T2 where T: floats, T1: floats, T2: bool
BiasAdd(X: T, bias: T, skip: T) -> Y: T where T: floats
BiasSplitGelu(X: T, bias: T) -> Y: T where T: floats
GemmFastGelu(X: T, W: T, bias?: T) -> Y: T where T: floats
GroupNorm(X: T, gamma: M, beta: M; activation!: int, channels_last=1, epsilon=1e-05, groups!: int)
    -> Y: T where T: floats, M: floats
SkipGroupNorm(X: T, gamma: M, beta: M, skip: T, bias?: T; activation!: int, channels_last=1,
    epsilon=1e-05, groups!: int) -> Y: T, S?: T where T: floats, M: floats
NhwcConv(X: T, W: T, B?: T; auto_pad='NOTSET', dilations: ints, group=1, kernel_shape: ints,
    pads: ints, strides: ints) -> Y: T where T: floats
NhwcFusedConv(X: T, W: T, B?: T, Z?: T; activation: string, activation_params: floats,
    auto_pad='NOTSET', dilations: ints, group=1, kernel_shape: ints, pads: ints, strides: ints) ->
    Y: T where T: floats
Attention(input: T, weights: T, bias?: T, mask_index?: M, past?: T, attention_bias?: T,
    past_sequence_length?: M; do_rotary: int, mask_filter_value: float, num_heads!: int,
    past_present_share_buffer: int, qkv_hidden_sizes: ints, rotary_embedding_dim: int,
    scale: float, unidirectional=0) -> output: T, present?: T where T: floats, M: int32
MultiHeadAttention(query: T, key?: T, value?: T, bias?: T, key_padding_mask?: M,
    attention_bias?: T, past_key?: T, past_value?: T, past_sequence_length?: M,
    cache_indirection?: M; mask_filter_value: float, num_heads!: int, scale: float,
    unidirectional=0) -> output: T, present_key?: T, present_value?: T, qk?: QK where T: floats,
    QK: floats, M: int32
GroupQueryAttention(query: T, key?: T, value?: T, past_key?: T_CACHE, past_value?: T_CACHE,
    seqlens_k: M, total_sequence_length: M, cos_cache?: T, sin_cache?: T, position_ids?: int64,
    attention_bias?: T, head_sink?: T, k_scale?: T_KV_SCALE, v_scale?: T_KV_SCALE,
    q_norm_weight?: T, k_norm_weight?: T, query_seqlens?: M; causal=1, do_rotary: int,
    k_norm_epsilon: float, k_quant_type='NONE', kv_cache_bit_width: int, kv_num_heads!: int,
    local_window_size=-1, num_heads!: int, q_norm_epsilon: float, qk_norm_epsilon=1e-06,
    qk_output=0, rotary_interleaved: int, scale: float, sliding_window_cache=0, smooth_softmax=-1,
    softcap: float, v_quant_type='NONE') -> output: T, present_key?: T_CACHE,
    present_value?: T_CACHE, output_qk?: T where T: floats, T_CACHE: float float16 bfloat16 uint8
    int8 float8e4m3fn, T_KV_SCALE: float, M: int32
RotaryEmbedding(input: T, position_ids: M, cos_cache: T, sin_cache: T; interleaved: int,
    is_packed_batching: int, num_heads: int, rotary_embedding_dim: int, scale: float) -> output: T
    where T: floats, M: int64
MatMulIntegerToFloat(A: T1, B: T2, a_scale: T3, b_scale: T3, a_zero_point?: T1, b_zero_point?: T2,
    bias?: T3) -> Y: T3 where T1: bytes, T2: bytes, T3: floats
DynamicQuantizeMatMul(A: T1, B: T2, b_scale: T1, b_zero_point?: T2, bias?: T1) -> Y: T1 where
    T1: float, T2: bytes
DynamicQuantizeLSTM(X: T, W: T2, R: T2, B?: T, sequence_lens?: T1, initial_h?: T, initial_c?: T,
    P?: T, W_scale: T, W_zero_point: T2, R_scale: T, R_zero_point: T2; activation_alpha: floats,
    activation_beta: floats, activations: strings, clip: float, direction='forward',
    hidden_size: int, input_forget=0) -> Y?: T, Y_h?: T, Y_c?: T where T: float, T1: int32,
    T2: bytes
MatMulInteger16(A: T1, B: T2) -> Y: T3 where T1: int16 uint16, T2: int16 uint16, T3: int32 uint32
MatMulNBits(A: T1, B: T2, scales: T1, zero_points?: T3, g_idx?: T4, bias?: T1; K!: int, N!: int,
    accuracy_level=0, bits=4, block_size!: int, weight_prepacked=0) -> Y: T1 where T1: floats,
    T2: uint8, T3: uint8 float16 float bfloat16, T4: int32
MatMulBnb4(A: T1, B: T2, absmax: T1; K!: int, N!: int, block_size!: int, quant_type!: int,
    training_mode=0, transB=1) -> Y: T1 where T1: floats, T2: uint8
GatherBlockQuantized(data: T1, indices: Tind, scales: T2, zero_points?: T1; bits=4,
    block_size=128, gather_axis=0, quantize_axis=1) -> output: T2 where T1: int4 uint4 uint8
    float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float4e2m1, T2: floats, Tind: int32
    int64
QAttention(input: T1, weight: T2, bias: T3, input_scale: T3, weight_scale: T3, mask_index?: T4,
    input_zero_point?: T1, weight_zero_point?: T2, past?: T3; do_rotary: int,
    mask_filter_value: float, num_heads!: int, past_present_share_buffer: int, scale: float,
    unidirectional=0) -> output: T3, present?: T3 where T1: bytes, T2: bytes, T3: floats,
    T4: int32
QEmbedLayerNormalization(input_ids: T1, segment_ids?: T1, word_embedding_quant: T2,
    position_embedding_quant: T2, segment_embedding?: T2, gamma_quant: T2, beta_quant: T2,
    mask?: T1, word_embedding_scale: T, position_embedding_scale: T, segment_embedding_scale?: T,
    gamma_scale: T, beta_scale: T, word_embedding_zero_point: T2,
    position_embedding_zero_point: T2, segment_embedding_zero_point?: T2, gamma_zero_point: T2,
    beta_zero_point: T2; epsilon=1e-12) -> layernorm_out: T, mask_index_out: T1 where T1: int32,
    T2: bytes, T: float
QuantizeLinear(x: T1, y_scale: T1, y_zero_point?: T2; axis: int) -> y: T2 where T1: floats,
    T2: int8 uint8 int16 uint16 int4 uint4
DequantizeLinear(x: T1, x_scale: T2, x_zero_point?: T1; axis: int) -> y: T2 where T1: int8 uint8
    int16 uint16 int32 int4 uint4, T2: floats
QGemm(A: TA, a_scale: T, a_zero_point: TA, B: TB, b_scale: T, b_zero_point: TB, C?: TC,
    y_scale?: T, y_zero_point?: TYZ; alpha=1.0, transA=0, transB=0) -> Y: TY where T: float,
    TA: bytes, TB: bytes, TC: int32, TYZ: bytes, TY: float uint8 int8
QLinearAdd(A: T, A_scale: float, A_zero_point?: T, B: T, B_scale: float, B_zero_point?: T,
    C_scale: float, C_zero_point?: T) -> C: T where T: bytes
QLinearMul(A: T, A_scale: float, A_zero_point?: T, B: T, B_scale: float, B_zero_point?: T,
    C_scale: float, C_zero_point?: T) -> C: T where T: bytes
QLinearSigmoid(X: T, X_scale: float, X_zero_point?: T, Y_scale: float, Y_zero_point?: T) -> Y: T
    where T: bytes
QLinearLeakyRelu(X: T, X_scale: float, X_zero_point?: T, Y_scale: float, Y_zero_point?: T;
    alpha=0.01) -> Y: T where T: bytes
QLinearSoftmax(X: T, X_scale: float, x_zero_point?: T, y_scale: float, y_zero_point: T; axis=-1,
    opset!: int) -> Y: T where T: bytes
QLinearAveragePool(X: T, x_scale: float, x_zero_point?: T, y_scale: float, y_zero_point?: T;
    auto_pad='NOTSET', ceil_mode=0, channels_last=0, count_include_pad=0, kernel_shape!: ints,
    pads: ints, strides: ints) -> Y: T where T: bytes
QLinearGlobalAveragePool(X: T, x_scale: float, x_zero_point: T, y_scale: float, y_zero_point: T;
    channels_last=0) -> Y: T where T: bytes
QLinearReduceMean(data: T, data_scale: float, data_zero_point?: T, reduced_scale: float,
    reduced_zero_point?: T; axes!: ints, keepdims!: int) -> reduced: T where T: bytes
QLinearConcat(Y_scale: TF, Y_zero_point: T8, inputs...: TV; axis!: int) -> Y: T8 where T8: bytes,
    TF: float, TV: uint8 int8 float
QLinearConv(x: T1, x_scale: float, x_zero_point: T1, w: T2, w_scale: float, w_zero_point: T2,
    y_scale: float, y_zero_point: T3, B?: T4; auto_pad='NOTSET', channels_last=0, dilations: ints,
    group=1, kernel_shape: ints, pads: ints, strides: ints) -> y: T3 where T1: bytes, T2: bytes,
    T3: bytes, T4: int32
QLinearWhere(condition: B, X: T, x_scale: TF, x_zero_point: T, Y: T, y_scale: TF, y_zero_point: T,
    z_scale: TF, z_zero_point: T) -> Z: T where B: bool, TF: float, T: bytes
NhwcMaxPool(x: T; auto_pad='NOTSET', ceil_mode=0, dilations: ints, kernel_shape!: ints,
    pads: ints, strides: ints) -> y: T where T: bytes
CDist(A: T, B: T; metric='sqeuclidean') -> C: T where T: floats
ExpandDims(X: T, axis: int32) -> Y: T where T: any
GatherND(data: T, indices: Tind) -> output: T where T: any, Tind: int32 int64
Pad(data: T, pads: int64, value?: T; mode='constant') -> output: T where T: floats
Range(start: T, limit: T, delta?: T) -> Y: T where T: float double int16 int32 int64
Trilu(X: T, k?: int64; upper=1) -> Y: T where T: any
Unique(x: T) -> y: T, idx: int64, counts: int64 where T: any
"""
"""Operators of com.microsoft."""

ONNX = """
Affine(X: T; alpha=1.0, beta=0.0) -> Y: T where T: floats
ParametricSoftplus(X: T; alpha: float, beta: float) -> Y: T where T: floats
ImageScaler(input: T; bias: floats, scale=1.0) -> output: T where T: floats
Scale(input: T; scale=1.0) -> output: T where T: floats
ScaledTanh(input: T; alpha: float, beta: float) -> output: T where T: floats
SimplifiedLayerNormalization(X: T, scale: V; axis=-1, epsilon=1e-05, stash_type=1) -> Y: V,
    inv_std_var?: U where T: floats, U: floats, V: floats
"""
"""Operators in ONNX's own domain that ONNX has no more, or never had."""
