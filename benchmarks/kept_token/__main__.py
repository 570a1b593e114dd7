from benchmarks.kept_token import main

if __name__ == "__main__":
    main()
