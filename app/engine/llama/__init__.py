"""llama.cpp through its low-level API: library, model, context, sampler. Imported in the engine child only."""
