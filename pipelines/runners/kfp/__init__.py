"""What a container of Kubeflow Pipelines needs so that an executor of TFX's can run in it: see `kfp_entrypoint`.

No module imports TFX but `tfx_steps`, which is imported for steps that need it.
"""
