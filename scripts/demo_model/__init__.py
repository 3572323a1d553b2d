"""How the demo guide built into Alcove is made: corpus, tokenizer, network, training, GGUF file, evaluation."""
