"""AdamW that does not import PyTorch's compiler."""

from inspect import unwrap

import torch


class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, without the decorators that keep its methods from being compiled.

    They import `torch._dynamo` when an optimizer is created, which takes 2.3 s, longer than `import torch` (AMD EPYC,
    AVX2). Nothing here compiles an optimizer.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    zero_grad = unwrap(torch.optim.AdamW.zero_grad)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))
