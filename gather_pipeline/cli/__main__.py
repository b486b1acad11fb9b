"""`python -m gather_pipeline.cli`, for an environment whose scripts are not on the path."""

from gather_pipeline.cli.app import main

if __name__ == "__main__":
    main()
